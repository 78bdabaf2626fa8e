"""Property tests draw the same examples every time, and no example fails for being slow on a busy machine."""

from hypothesis import settings

settings.register_profile("seeded", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("seeded")
