"""The server around the app: who may come in, the pages to sign in, and the headers of every answer."""
