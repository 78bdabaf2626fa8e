"""The stages of a run, in order: prepare, train, calibrate, evaluate, report, register; and explain, beside them."""
