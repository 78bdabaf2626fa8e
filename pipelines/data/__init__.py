"""`screening data`: what is done to posts before a run reads them."""
