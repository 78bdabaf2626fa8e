"""Scoring on many machines: Apache Spark runs the exported MLflow model, and the output is the local engine's."""
