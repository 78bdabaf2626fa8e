"""The registered model: how a bundle becomes one, and how it answers over HTTP and on Spark."""
