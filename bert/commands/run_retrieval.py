"""Answers frequent questions by similarity: trains, indexes, evaluates and predicts.

    bert run_retrieval --knowledge_file=faq.tsv --output_dir=output/faq \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
        --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --do_train=true --do_index=true --do_eval=true \\
        --dev_fraction=0.2 --max_seq_length=64 --train_batch_size=32 --learning_rate=2e-5 --num_train_epochs=3.0

The knowledge base has the columns question, answer_id and, if the answers have texts, answer; many questions may have
the same answer. --task_name=banking77 --data_dir=FOLDER takes a set that is known by its name instead. Without
--do_train the encoder of --init_checkpoint is taken as it is. --do_eval and --do_predict search the index that
--do_index has written; bert predict and bert serve answer with it. docs/retrieval.md tells more.
"""

import dataclasses

from bert.answering.settings import RetrievalSettings
from bert.errors import InputError
from bert.flags import check_dev_fraction, check_positive


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(RetrievalSettings):
    """The flags of run_retrieval."""

    def check(self) -> None:
        super().check()
        missing = [f"--{name}" for name in ("bert_config_file", "vocab_file") if not getattr(self, name)]
        if missing and self.retriever != "bm25":
            raise InputError(f"{', '.join(missing)} must be given, but for --retriever=bm25")
        self._check_files()
        self._check_packages()
        check_positive(self, *(name for name in ("top_k", "rerank_candidates") if name in self.given))
        if self.num_trials > 1 and (not self.do_index or self.changes_index):
            raise InputError(
                f"--num_trials={self.num_trials} needs --do_index=true, and no --add_file, --remove_file or "
                "--remove_ids: each trial makes an index of its own"
            )
        if self.hard_negatives < 0:
            raise InputError(f"--hard_negatives is {self.hard_negatives}, expected 0 or more")
        if self.hard_negatives_from != type(self).hard_negatives_from and not self.hard_negatives:
            raise InputError(f"--hard_negatives_from={self.hard_negatives_from} needs --hard_negatives of 1 or more")
        if not self.temperature > 0:
            raise InputError(f"--temperature is {self.temperature}, expected more than 0")
        if not 0 <= self.min_precision <= 1:
            raise InputError(f"--min_precision is {self.min_precision}, expected 0 to 1")
        if self.add_file and self.equal_label is not None:
            raise InputError(
                f"--add_file={self.add_file} is of questions and the ids of their answers: expected no --equal_label"
            )
        if self.index != type(self).index and not self.do_index:
            raise InputError(f"--index={self.index} needs --do_index=true: an index is searched as it was made")
        if self.do_train and self.layer != -1:
            raise InputError(f"--layer is {self.layer}, but --do_train trains the last layer, -1")
        if self.do_train and self.train_batch_size < 2:
            raise InputError("--train_batch_size is 1, expected at least 2: the others of a batch are what is wrong")
        has_model = self.do_train or self.do_index or self.changes_index or self.rerank_model or self.intent_model
        if self.retriever == "bm25" and has_model:
            raise InputError("--retriever=bm25 has no model and no index, expected --do_eval or --do_predict alone")

    def _check_packages(self) -> None:
        """Raises InputError for an optional package that would be missed only when much work is done."""
        from bert.retrieval import search  # numpy: --help does not wait for it

        if self.do_index and self.index == "faiss":
            search.check_faiss()
        if self.retriever == "bm25" or (self.do_train and self.hard_negatives and self.hard_negatives_from == "bm25"):
            search.check_bm25()

    def _check_files(self) -> None:
        check_dev_fraction(self)
        if bool(self.task_name) != bool(self.data_dir):
            raise InputError("--task_name and --data_dir: expected both or none")
        if self.task_name and self.knowledge_file:
            raise InputError(
                f"--task_name={self.task_name} and --knowledge_file={self.knowledge_file}: expected only one"
            )
        if self.task_name:
            return
        if self.do_eval and not self.dev_fraction and not self.dev_file:
            raise InputError("--do_eval needs --dev_file or --dev_fraction")
        if self.do_predict and not self.predict_file:
            raise InputError("--do_predict needs --predict_file")
        asking = {
            "--do_train": self.do_train,
            "--do_index": self.do_index,
            "--dev_fraction": bool(self.dev_fraction),
            "--retriever=bm25": self.retriever == "bm25",
        }
        needing = next((flag for flag, is_asked in asking.items() if is_asked), None)
        if needing and not self.knowledge_file:
            raise InputError(f"{needing} needs --knowledge_file")


def main(settings: Settings) -> None:
    from bert.answering.work import run  # TensorFlow: --help does not wait for it

    run(settings)
