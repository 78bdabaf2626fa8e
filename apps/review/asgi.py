"""What the web server runs: the app behind its gate. Started by ``apps.review.server``."""

import os

import streamlit as st

from apps.review.identity.settings import read_sign_in_settings
from apps.review.server import open_context
from apps.review.web.doorkeeper import Doorkeeper
from apps.review.web.framework import build_middleware, build_secrets
from apps.review.web.routes import Forms

_SETTINGS = read_sign_in_settings(os.environ)
_DOORKEEPER = Doorkeeper(open_context(), _SETTINGS)

app = st.App(
    "app.py",
    routes=Forms(_DOORKEEPER).list_routes(),
    middleware=build_middleware(_DOORKEEPER),
    secrets=build_secrets(_SETTINGS),
)
