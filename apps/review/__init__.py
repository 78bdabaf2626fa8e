"""The reviewer app: clinicians read flagged posts and decide."""
