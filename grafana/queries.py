"""Selectors and functions of PromQL that every query of a dashboard is made of; each follows the variables at the top of its board."""

from __future__ import annotations

CHOSEN = ('job=~"$job"', 'instance=~"$instance"')


def daemon(metric: str, *matchers: str) -> str:
    """A metric of the chosen daemons.

    >>> daemon("source_up", 'source="flower"')
    'autoscaler_source_up{job=~"$job",instance=~"$instance",source="flower"}'
    """
    return _selector(f"autoscaler_{metric}", *CHOSEN, *matchers)


def process(metric: str) -> str:
    """A metric of the daemon's process, from the Prometheus client."""
    return _selector(f"process_{metric}", *CHOSEN)


def pool(metric: str, *matchers: str) -> str:
    """A metric of the chosen pools."""
    return daemon(metric, 'pool=~"$pool"', *matchers)


def worker(metric: str, *matchers: str) -> str:
    """A metric of the pages that the workers of the chosen pools have."""
    return _selector(f"autoscaler_worker_{metric}", 'job=~"$workers"', 'pool=~"$pool"', *matchers)


def rate(selector: str) -> str:
    """Events per second."""
    return f"rate({selector}[$__rate_interval])"


def growth(selector: str) -> str:
    """Events within one point of the graph."""
    return f"increase({selector}[$__rate_interval])"


def in_range(selector: str) -> str:
    """Events within the whole time that is shown: for single numbers."""
    return f"increase({selector}[$__range])"


def quantile(share: float, selector: str, *by: str) -> str:
    """A quantile of a histogram, of all daemons together."""
    return f"histogram_quantile({share}, sum by ({', '.join(('le', *by))}) ({rate(selector)}))"


def spread(selector: str) -> tuple[tuple[str, str], ...]:
    """The curves of a histogram that people ask for: what half of all stay below, and 95 of 100."""
    return (quantile(0.5, selector), "half"), (quantile(0.95, selector), "95 of 100")


def _selector(metric: str, *matchers: str) -> str:
    return f"{metric}{{{','.join(matchers)}}}"
