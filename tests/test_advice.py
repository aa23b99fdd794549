"""The warning of a multilingual vocabulary on Chinese texts, and where there is none."""

import pytest

from bert.tasks import advice
from bert.tokenization import Vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CHINESE = ["我的快递什么时候到？", "订单能退吗", "iPhone 15 屏幕碎了,保修吗", "在 App 里怎么改地址", "鲜の每日有货吗"]
ENGLISH = ["Where is my parcel?", "Can I return it? 谢谢"]
JAPANESE = ["荷物はいつ届きますか。", "注文を返品できますか。", "東京都の住所を変更したいです。", "ソフトバンク株価"]
RUSSIAN = ["Где моя посылка?"]


def words(first: str, last: str, count: int) -> list[str]:
    """Made-up words of two letters of a script."""
    letters = [chr(code) for code in range(ord(first), ord(last) + 1)]
    pairs = [a + b for a in letters for b in letters]
    assert len(pairs) >= count
    return [f"##{word}" if i % 2 else word for i, word in enumerate(pairs[:count])]


CYRILLIC, GREEK, HEBREW = (words(*ends, 150) for ends in ("ая", "αω", "את"))
IDEOGRAPHS = [chr(ord("一") + i) for i in range(500)]
MULTILINGUAL = [*SPECIAL, *words("a", "z", 400), *IDEOGRAPHS, *CYRILLIC, *GREEK, *HEBREW]


@pytest.fixture
def warnings_of(caplog):
    """warnings_of(tokens, texts) returns the warnings of texts that meet a vocabulary."""

    def warnings_of(tokens, texts) -> list[str]:
        caplog.clear()
        vocabulary = tokens if isinstance(tokens, Vocabulary) else Vocabulary(tokens)
        advice.warn_of_multilingual_vocabulary(vocabulary, iter(texts))
        assert all(record.levelname == "WARNING" for record in caplog.records)
        return caplog.messages

    return warnings_of


def test_chinese_texts_with_a_multilingual_vocabulary_are_warned_of(warnings_of):
    (message,) = warnings_of(MULTILINGUAL, CHINESE)
    assert message.startswith("The texts are Chinese and the vocabulary is multilingual")
    assert "chinese_L-12_H-768_A-12" in message


@pytest.mark.parametrize("texts", [ENGLISH, JAPANESE, RUSSIAN, ["123 ?!"], [""], []])
def test_other_texts_are_not(warnings_of, texts):
    assert warnings_of(MULTILINGUAL, texts) == []


def test_the_chinese_vocabulary_is_none_to_warn_of(warnings_of, shared):
    path = shared / "data" / "vocab" / "bert-base-chinese-vocab.txt"
    if not path.exists():
        pytest.skip(f"needs {path}")
    assert warnings_of(Vocabulary.from_file(str(path)), CHINESE) == []


def test_single_letters_of_many_scripts_do_not_make_a_vocabulary_multilingual():
    letters = [chr(code) for first in "аα\u05d0ก가ا" for code in range(ord(first), ord(first) + 20)]
    assert not advice.is_multilingual([*SPECIAL, *letters * 30, *(f"##{letter}" for letter in letters * 30)])


def test_three_scripts_make_a_vocabulary_multilingual():
    assert advice.is_multilingual([*CYRILLIC, *GREEK, *HEBREW])
    assert not advice.is_multilingual([*CYRILLIC, *GREEK, *HEBREW[:99]])
    assert not advice.is_multilingual([*SPECIAL, *IDEOGRAPHS, *words("a", "z", 600), *words("あ", "ん", 600)])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("退款 abc", False),
        ("退款要 ab", True),
        ("123，。！？ 退", True),
        ("優の良品 很好用 推薦大家購買", True),
        ("今日の天気", False),
        ("인터넷 서비스", False),
        ("", False),
    ],
)
def test_what_is_mostly_chinese(text, answer):
    assert advice.is_mostly_chinese(text) is answer


def test_only_the_first_texts_are_looked_at(warnings_of):
    def endless():
        yield from CHINESE * advice.LOOKED_AT
        raise AssertionError("read on")

    assert warnings_of(MULTILINGUAL, endless())
