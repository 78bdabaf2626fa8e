"""Several views of a post in one training step: the same tokens, read with other dropout each time."""

from torch import Tensor


def repeat_posts(batch: dict[str, Tensor], n_views: int) -> dict[str, Tensor]:
    """Repeat each post of a batch, so that it stands ``n_views`` times in it, next to itself.

    A post then always has another of its class to be drawn to, itself. What makes its views differ is dropout
    (as in SimCSE, Gao et al. 2021, arXiv 2104.08821); without any they are one point.

    Parameters
    ----------
    batch : dict of str to Tensor of shape (n_posts, ...)
        Token ids, masks and labels.
    n_views : int

    Returns
    -------
    dict of str to Tensor of shape (n_views * n_posts, ...)
    """
    if n_views == 1:
        return batch
    return {name: values.repeat_interleave(n_views, dim=0) for name, values in batch.items()}
