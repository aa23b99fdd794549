"""How well the cosine of two questions' vectors tells whether they ask the same, judged by the pairs of this example.

python -m examples.faq.similarities --model_dir=faq_output/faq
"""

import dataclasses
import pathlib

from bert import cli
from bert.options import option, required
from bert.tasks import table

PAIRS = pathlib.Path(__file__).parent / "pairs/dev.tsv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    model_dir: str = required("A folder that run_retrieval wrote, or any other with a model's weights.")
    max_seq_length: int = option(48, "Most WordPieces of a question.")


def main(settings: Settings) -> None:
    import numpy as np
    from scipy import stats

    import bert
    from bert.prediction.retrieval import unit

    pairs = list(table.rows_of(str(PAIRS), has_header=True))
    model = bert.load(settings.model_dir, vectors=True, max_seq_length=settings.max_seq_length)
    first, second = (model.encode([str(row[column]) for row in pairs]) for column in ("text", "text_b"))  # [R, H] each
    cosines = np.sum(unit(first) * unit(second), axis=1)  # [R]
    grades = [float(str(row["label"])) for row in pairs]
    pearson, spearman = (measure(cosines, grades).statistic for measure in (stats.pearsonr, stats.spearmanr))
    print(f"{len(pairs)} pairs: Pearson {pearson:.3f}, Spearman {spearman:.3f}")


if __name__ == "__main__":
    cli.run(Settings, main)
