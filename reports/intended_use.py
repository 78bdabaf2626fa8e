"""The words that stand beside every number: what a flag means, what the tool is for, and what it is not for."""

from __future__ import annotations

from typing import Literal

SYNTHETIC_BANNER = "Synthetic posts: these numbers mean nothing about people."

PURPOSE = (
    "Order a stream of posts so that trained people read first the posts that most resemble those published in "
    "communities about mental distress.",
    "Measure, before anyone relies on it, how many such posts a threshold would leave unread and how much reading it "
    "asks for.",
    "Research on weakly labelled posts, with the limits of those labels stated.",
)

DECISION_FLAGGED = (
    "A post at or above a threshold is flagged for review: a trained person reads it, without delay for the level "
    "“refer”, in the ordinary queue for the level “review”. The person decides; the flag decides nothing."
)
DECISION_NOT_FLAGGED = (
    "A post below every threshold is not queued. That does not mean it is safe: some posts of the target are below "
    "the threshold by design, and only a random audit of unflagged posts can say how many."
)

NOT_FOR = (
    "Diagnosis of any condition, or a statement about the person who wrote a post.",
    "Prediction of suicide, self-harm or any other event.",
    "Scoring, ranking or following people or accounts.",
    "Automated action: no message, removal, report, welfare check or contact with police may follow from a flag alone.",
    "Surveillance by employers, schools, insurers, landlords, governments or law enforcement.",
    "Replacing clinicians, moderators or crisis services, or reducing their number.",
    "Languages, communities or times other than those it was evaluated on, without a new evaluation.",
)

WHOSE_RECALL = {
    "post": "true recall",
    "author": "the share of authors whose randomly chosen post of the target is flagged",
}


def describe_promise(unit: Literal["post", "author"] = "post") -> str:
    """Say what a threshold promises, for what counts as one draw; the number stands beside it in the table.

    Examples
    --------
    >>> "true recall falls below the target" in describe_promise("post")
    True
    """
    return (
        "Each threshold is the highest that keeps a promise: over repeated draws of calibration posts, and whatever "
        f"the distribution of scores, {WHOSE_RECALL[unit]} falls below the target in at most one minus the confidence "
        "of the draws. The promise does not depend on how common such posts are. It does depend on tomorrow's posts of "
        "the target looking like those of the calibration split; when their language changes, the promise ends, and no "
        "number here shows it."
    )
