"""What the steps are told."""

import dataclasses

from bert.flags import FineTuningFlags
from bert.options import BEST, option
from bert.options.retrieval import RetrievalOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class RetrievalSettings(RetrievalOptions, FineTuningFlags):
    """The settings of run_retrieval, however they came about."""

    bert_config_file: str = option(
        "", "JSON file with the sizes of the model: Google's bert_config.json or Hugging Face's config.json."
    )
    vocab_file: str = option(
        "", "The vocabulary, a WordPiece a line: vocab.txt of a Google download or of Hugging Face."
    )
    best_metric: str = option(
        "mrr_at_10", "What the best checkpoint is chosen by; it is kept in the folder best.", decides=BEST
    )

    @property
    def changes_index(self) -> bool:
        """Whether questions are to be added or removed."""
        return bool(self.add_file or self.remove_file or self.remove_ids)

    @property
    def reads_knowledge(self) -> bool:
        """Whether the knowledge base itself is read, not only the index."""
        return self.do_train or self.do_index or self.retriever == "bm25" or (self.do_eval and self.dev_fraction > 0)

    @property
    def asks_for_nothing(self) -> bool:
        return super().asks_for_nothing and not self.do_index and not self.changes_index
