"""What the calibrate stage makes: the first stage of a cascade, and the scorers with what they promise."""
