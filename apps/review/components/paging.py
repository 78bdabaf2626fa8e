"""Going through long lists page by page; a page is found by the key of the row before it."""

from typing import Any

import streamlit as st


class Pages:
    """The keys of the pages gone through, so that going back finds its way.

    Parameters
    ----------
    name : str
        Of the list.
    about : object
        What the list shows; another choice starts at the first page.
    """

    def __init__(self, name: str, about: object = None) -> None:
        self._name = name
        held = st.session_state.get(name)
        self._keys: list[Any] = held[1] if held is not None and held[0] == about else [None]
        st.session_state[name] = (about, self._keys)

    @property
    def key(self) -> Any:
        """Key of the row before the present page, ``None`` for the first."""
        return self._keys[-1]

    @property
    def number(self) -> int:
        """Number of the present page, from 0."""
        return len(self._keys) - 1

    def show_buttons(self, last_key: object, *, is_full: bool, labels: tuple[str, str] = ("Back", "More")) -> None:
        """Show the ways to the page before and the page after."""
        with st.container(horizontal=True):
            if self.number and st.button(labels[0], key=f"{self._name}_back"):
                self._keys.pop()
                st.rerun()
            if is_full and st.button(labels[1], key=f"{self._name}_forward"):
                self._keys.append(last_key)
                st.rerun()
