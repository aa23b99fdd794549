"""What a server takes on, and what it refuses."""

import dataclasses

from bert.options import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """How much a request may ask for, and how much may wait."""

    max_body_mb: float = option(1.0, "Most MB of a request; a longer one is refused (413).")
    max_rows: int = option(256, "Most rows of a request; one with more is refused (413).")
    max_queue: int = option(
        1024, "Most rows that wait for a model, and most requests at a time; what is above is refused (429)."
    )
    max_body_seconds: int = option(30, "A request that is not there whole after these seconds is refused (408).")
