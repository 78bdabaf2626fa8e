"""What the page says of the posts that false alarms are counted on."""

import pytest

from reports.sections.cost import describe_controls
from screening.config import BackgroundConfig


@pytest.mark.parametrize(
    ("background", "found"),
    [
        (None, "counted as a false alarm."),
        (BackgroundConfig(label="elsewhere"), "Other posts from the same places were learnt, as the class elsewhere."),
        (BackgroundConfig(label="news", group_column="forum"), "none of these has the forum of a control."),
    ],
)
def test_the_page_says_how_far_controls_are_known(background: BackgroundConfig | None, found: str) -> None:
    assert describe_controls(background).endswith(found)
