"""The scoring job: any number of posts in files, scored in parts that survive a kill."""
