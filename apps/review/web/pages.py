"""The pages before the app: plain HTML without scripts, so that nothing of the app is loaded before the sign-in."""

import html

_STYLE = """
:root {color-scheme: light dark}
body {margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1rem/1.5 system-ui, sans-serif;
  background: light-dark(#fbfaf8, #171c1c); color: light-dark(#22302f, #e6ebea)}
main {width: min(24rem, 100% - 2.5rem); padding: 2rem 0}
h1 {font-size: 1.7rem; font-weight: 650; margin: 0 0 .3rem; letter-spacing: -.01em}
p {margin: .4rem 0}
form {margin: 1.4rem 0; padding: 1.3rem; border: 1px solid light-dark(#dcd8d0, #39454a); border-radius: .6rem;
  display: grid; gap: .35rem}
label {font-size: .9rem}
input {font: inherit; color: inherit; padding: .55rem .7rem; margin-bottom: .7rem; border-radius: .5rem;
  border: 1px solid light-dark(#b9b4aa, #5a686c); background: light-dark(#fff, #20282a)}
button, a.button {font: inherit; font-weight: 600; padding: .6rem; border: 0; border-radius: .5rem; cursor: pointer;
  background: light-dark(#1f6f6b, #26807a); color: #fff; text-align: center; text-decoration: none; display: block}
:focus-visible {outline: 3px solid light-dark(#1f6f6b, #7fd0ca); outline-offset: 2px}
.notice {border-left: 3px solid #1f6f6b; padding: .45rem .9rem; background: light-dark(#e7efee, #1d2e2d)}
.problem {border-left: 3px solid #b3432b; padding: .45rem .9rem; background: light-dark(#f8e9e5, #3a221c)}
.quiet {font-size: .9rem; opacity: .8}
"""
_FOOT = "A flag means that a post resembles posts from certain subreddits. It is not a diagnosis."

NOTICES = {
    "left": "You are signed out, by yourself or because your session ended. Every decision you made is saved.",
    "changed": "Your new password is set. Sign in with it.",
}
WRONG = (
    "That did not work. Check the name and the password. After five wrong passwords in a row an account rests for "
    "15 minutes."
)


def render_sign_in(*, notice: str = "", problem: str = "") -> str:
    """Render the form; every refusal reads the same."""
    form = (
        '<form method="post" action="/sign-in">'
        + _render_input("user_name", "User name", "text", "username", "autofocus autocapitalize=none")
        + _render_input("password", "Password", "password", "current-password")
        + "<button>Sign in</button></form>"
    )
    return _render("Review", "Posts flagged for review, read and judged by people.", form, notice, problem)


def render_new_password(*, is_forced: bool, problem: str = "") -> str:
    """Render the form to choose a password."""
    why = "The password you signed in with serves once. Choose your own to go on." if is_forced else ""
    form = (
        '<form method="post" action="/password">'
        + _render_input("present", "Present password", "password", "current-password", "autofocus")
        + _render_input("new", "New password", "password", "new-password", "minlength=12 maxlength=256")
        + _render_input("again", "New password, again", "password", "new-password", "minlength=12 maxlength=256")
        + '<p class="quiet">12 characters or more. A sentence is easier to remember than a puzzle.</p>'
        + "<button>Set the password</button></form>"
    )
    return _render("New password", why, form, "", problem)


def render_refusal(*, sign_out_url: str | None = None) -> str:
    """Render what someone sees whom nobody added, or who came around the proxy."""
    way = f'<p><a class="button" href="{html.escape(sign_out_url)}">Sign out there</a></p>' if sign_out_url else ""
    text = "This sign-in does not open the app. Ask its administrator to add you, or come by your usual way."
    return _render("No access", text, way, "", "")


def render_trouble(problem: str) -> str:
    """Render that the server cannot do its work right now."""
    return _render("Review", "", '<p><a class="button" href="">Try again</a></p>', "", capitalize(problem))


def capitalize(text: str) -> str:
    """Write an error, which starts small and ends without a stop, as a sentence."""
    sentence = f"{text[:1].upper()}{text[1:]}"
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def render_gone(*, sign_out_url: str | None = None) -> str:
    """Render the end of a session behind a proxy, which may still know the person."""
    way = f'<p><a href="{html.escape(sign_out_url)}">Sign out of the proxy too</a></p>' if sign_out_url else ""
    return _render("Review", "", '<p><a class="button" href="/">Go on</a></p>' + way, NOTICES["left"], "")


def _render_input(name: str, label: str, kind: str, autocomplete: str, attributes: str = "") -> str:
    return (
        f'<label for="{name}">{label}</label>'
        f'<input id="{name}" name="{name}" type="{kind}" autocomplete="{autocomplete}" required {attributes}>'
    )


def _render(title: str, text: str, body: str, notice: str, problem: str) -> str:
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts += [f"<p>{html.escape(text)}</p>"] if text else []
    parts += [f'<p class="notice" role="status">{html.escape(notice)}</p>'] if notice else []
    parts += [f'<p class="problem" role="alert">{html.escape(problem)}</p>'] if problem else []
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        + "".join(parts)
        + body
        + f'<p class="quiet">{_FOOT}</p></main></body></html>'
    )
