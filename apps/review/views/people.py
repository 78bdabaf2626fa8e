"""People: who has an account, in which role; for administrators."""

from collections.abc import Callable, Sequence

import streamlit as st

from apps.review.components.messages import run_page, show_notice
from apps.review.components.page import describe_age
from apps.review.components.tables import show_table
from apps.review.identity.passwords import generate_password
from apps.review.identity.records import ROLES, SignedIn
from apps.review.services import accounts
from apps.review.services.accounts import Account
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.state import load_context, load_sign_in_settings, put_notice, require_signed_in
from screening.exceptions import ConfigError

_COLUMNS = ("Name", "Role", "Signs in by", "Standing", "Last seen")
_NEW_PASSWORD = "new_password"  # noqa: S105  # the key under which it waits to be shown once


def show() -> None:
    """Show the accounts, and what can be done about them."""
    actor, context = require_signed_in("manage_accounts"), load_context()
    st.title("People", anchor=False)
    show_notice()
    _show_new_password()
    people = accounts.list_accounts(context, actor)
    show_table(_COLUMNS, [_describe(account, actor) for account in people], caption="Accounts")
    _show_change(context, actor, people)
    _show_form(context, actor)


def _describe(account: Account, actor: SignedIn) -> list[str]:
    standing = "closed" if not account.is_active else "locked" if account.is_locked else "open"
    if account.must_change_password:
        standing += ", has not chosen a password yet"
    seen = f"{describe_age(account.last_seen_at)} ago" if account.last_seen_at else "not yet"
    name = f"{account.name} (you)" if account.name == actor.user_name else account.name
    return [name, account.role, account.provider, standing, seen]


def _show_change(context: ReviewContext, actor: SignedIn, people: Sequence[Account]) -> None:
    others = {account.name: account for account in people if account.name != actor.user_name}
    if not others:
        return
    st.subheader("Change an account", anchor=False)
    chosen = others[st.selectbox("Account", sorted(others), key="person")]
    name = chosen.name
    role_side, button_side = st.columns([1, 2], vertical_alignment="bottom")
    role = role_side.selectbox("Role", ROLES, index=ROLES.index(chosen.role), key=f"role_{name}")
    with button_side.container(horizontal=True):
        if st.button("Change role", key="change_role", disabled=role == chosen.role):
            _do(
                lambda: accounts.change_role(context, actor, name=name, role=role), f"The role of {name} is {role} now."
            )
        if chosen.is_active and st.button("Close account", key="deactivate"):
            _do(lambda: accounts.deactivate_user(context, actor, name=name), f"The account {name} is closed.")
        if not chosen.is_active and st.button("Open again", key="reactivate"):
            _do(lambda: accounts.reactivate_user(context, actor, name=name), f"The account {name} is open again.")
        if chosen.is_locked and st.button("Unlock", key="unlock"):
            _do(lambda: accounts.unlock_user(context, actor, name=name), f"The account {name} may sign in again.")
        if chosen.provider == "local" and st.button("New one-time password", key="reset_password"):
            _set_one_time_password(context, actor, name)


def _show_form(context: ReviewContext, actor: SignedIn) -> None:
    method = load_sign_in_settings().method
    st.subheader("Add someone", anchor=False)
    with st.form("add_person", clear_on_submit=True):
        label = "E-mail address at your organisation" if method == "oidc" else "User name"
        name = st.text_input(label, key="new_name", autocomplete="off", max_chars=64)
        role = st.selectbox("Role", ROLES, key="new_role")
        is_sent = st.form_submit_button("Add")
    if is_sent:
        password = generate_password() if method == "local" else None

        def _add() -> None:
            accounts.add_user(
                context, actor, name=name, role=role, password=password, credential="one_time", provider=method
            )
            _keep_new_password(name, password)

        _do(_add, f"Added {name.strip().lower()} as {role}.")


def _set_one_time_password(context: ReviewContext, actor: SignedIn, name: str) -> None:
    password = generate_password()

    def _set() -> None:
        accounts.set_password(context, actor, name=name, password=password, is_one_time=True)
        _keep_new_password(name, password)

    _do(_set, f"The account {name} has a new password; open sessions of the account have ended.")


def _do(action: Callable[[], None], notice: str) -> None:
    """Do it and say so, or say why not."""
    is_problem = False
    try:
        action()
    except (NotAllowedError, ConfigError) as error:
        notice, is_problem = str(error), True
    put_notice(notice, is_problem=is_problem)
    st.rerun()


def _keep_new_password(name: str, password: str | None) -> None:
    if password is not None:
        st.session_state[_NEW_PASSWORD] = (name.strip().lower(), password)


def _show_new_password() -> None:
    """Show a generated password on one drawing of the page, and forget it."""
    kept = st.session_state.pop(_NEW_PASSWORD, None)
    if kept is None:
        return
    st.text(f"Password of {kept[0]}, for one sign-in. It is shown only now:")
    st.code(kept[1], language=None)


run_page(show)
