"""From a run's tables to pages: the report with its sections, pictures and checks, the model card, the comparison."""
