"""Prints what examples/chinese/run.sh made: the text, the two stages of pre-training, and how masks are filled.

python -m examples.chinese.summary --output_dir=chinese_output
"""

import dataclasses
import json
import pathlib

from bert import cli, files
from bert.options import required

STAGES = ("stage1", "stage2")
MASKED = pathlib.Path(__file__).parent / "masked.txt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    output_dir: str = required("Folder that run.sh wrote into.")


def stage_line(folder: pathlib.Path) -> str:
    """Steps, real tokens seen, minutes, and what the held-out text tells, as a row of a table."""
    results = dict(line.split(" = ") for line in files.read_lines(str(folder / "eval_results.txt")))
    steps = [json.loads(line) for line in files.read_lines(str(folder / "metrics.jsonl"))]
    tokens = sum(step["tokens"] for step in steps)
    minutes = files.read_json(str(folder / "run.json"))["plan"]["seconds_used"] / 60
    loss, accuracy = float(results["masked_lm_loss"]), float(results["masked_lm_accuracy"])
    return f"| {folder.name} | {len(steps):,} | {tokens / 1e6:.2f} | {minutes:.1f} | {loss:.3f} | {accuracy:.3f} |"


def main(settings: Settings) -> None:
    output = pathlib.Path(settings.output_dir)
    counts = files.read_json(str(output / "text" / "report.json"))
    characters = sum(source.get("trained on", 0) for source in counts["characters"].values())
    print(f"Text: {characters:,} characters in {counts['documents']['trained on']:,} documents\n")
    print("| stage | steps | million tokens seen | minutes | held-out masked LM loss | held-out accuracy |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in STAGES:
        print(stage_line(output / name))
    print()
    for text, filled in zip(files.read_lines(str(MASKED)), files.read_lines(str(output / "filled.txt")), strict=True):
        print(f"{text}\n    {filled}")
    print(f"\nThe model: {output / 'model'}; fine-tuned: {output / 'downstream' / 'results.jsonl'}")


if __name__ == "__main__":
    cli.run(Settings, main)
