"""The page that is always run: decides what there is to see, and for whom."""

from typing import TYPE_CHECKING

import streamlit as st

from apps.review.components.messages import show_message
from apps.review.components.page import show_page_style, show_person, watch_session
from apps.review.services.access import Permission, is_permitted
from apps.review.services.errors import ReviewError
from apps.review.services.escalations import count_escalated
from apps.review.state import load_context, load_n_escalated, refresh_session, set_n_escalated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlit.navigation.page import StreamlitPage

    from apps.review.identity.records import Role, SignedIn

# Without icons: the framework would fetch the icon of a page from a font server.
_PAGES: dict[str, tuple[tuple[str, str, tuple[Permission, ...]], ...]] = {
    "Review": (
        ("queue", "Queue", ("judge",)),
        ("post", "Post", ("judge",)),
        ("escalated", "Escalated", ("take_over",)),
        ("adjudication", "Settle", ("adjudicate",)),
        ("history", "History", ("see_own_history", "see_all_history")),
    ),
    "Oversight": (
        ("dashboard", "Dashboard", ("see_dashboard",)),
        ("audit", "Audit", ("see_audit_slice",)),
        ("thresholds", "Thresholds", ("see_thresholds",)),
        ("export", "Export", ("export",)),
    ),
    "Administration": (("people", "People", ("manage_accounts",)),),
}


def main() -> None:
    """Show the sign-in page, or the pages of the signed-in person's role."""
    st.set_page_config(page_title="Review", layout="wide", initial_sidebar_state="auto")
    show_page_style()
    try:
        signed_in = refresh_session()
        set_n_escalated(_count_escalated(signed_in))
    except ReviewError as error:
        show_message(str(error), "problem")
        st.button("Try again", key="try_again")
        return
    if signed_in is None:
        st.navigation([st.Page("views/sign_in.py", title="Sign in")], position="hidden").run()
        return
    page = st.navigation(_list_pages(signed_in.role, {"escalated": load_n_escalated()}))
    show_person()
    watch_session()
    page.run()


def _count_escalated(signed_in: "SignedIn | None") -> int:
    if signed_in is None or not is_permitted(signed_in.role, "take_over"):
        return 0
    return count_escalated(load_context(), signed_in)


def _list_pages(role: "Role", waiting: "Mapping[str, int]") -> "dict[str, list[StreamlitPage]]":
    """List the pages of a role by section, with how much waits on them; the first one opens after sign-in."""
    sections: dict[str, list[StreamlitPage]] = {}
    for section, pages in _PAGES.items():
        for name, title, permissions in pages:
            if any(is_permitted(role, permission) for permission in permissions):
                n_waiting = f" ({waiting[name]:,})" if waiting.get(name) else ""
                page = st.Page(f"views/{name}.py", title=f"{title}{n_waiting}", default=not sections)
                sections.setdefault(section, []).append(page)
    return sections


main()
