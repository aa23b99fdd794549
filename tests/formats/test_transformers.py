"""The folders written here in transformers itself, where it is installed."""

import numpy as np
import pytest
import tensorflow as tf

from bert.formats import weights
from tests.formats import folders, make_references
from tests.formats.test_convert import converted

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize("head", folders.BUILDERS)
def test_the_stored_answers_are_those_of_what_comes_back(head, tmp_path):
    source = folders.copy(head, tmp_path)
    folders.write_vocabulary(source, 60)
    converted(source, tmp_path / "google", "google")
    converted(tmp_path / "google", tmp_path / "back", "huggingface")
    architecture, _ = make_references.HEADS[head]
    model, report = getattr(transformers, architecture).from_pretrained(
        tmp_path / "back", output_loading_info=True, local_files_only=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    stored, found = folders.answers(head), make_references.answers(model)
    for name, value in found.items():
        np.testing.assert_allclose(value, stored[name], atol=1e-5)


def test_weights_of_the_original_answer_alike_in_transformers(google, golden, tmp_path):
    """The reference values are those that Google's own code computed. A row of padding alone is not compared: the
    original attends to all of it alike."""
    converted(google, tmp_path / "theirs", "huggingface")
    model = transformers.BertForPreTraining.from_pretrained(tmp_path / "theirs", local_files_only=True).eval()
    arrays = np.load(golden / "model" / "micro" / "forward.npz")
    batch = [torch.tensor(arrays[f"in/{name}"]).long() for name in ("input_ids", "input_mask", "segment_ids")]
    with torch.no_grad():
        outputs = model(*batch)
    real = arrays["in/input_mask"].any(axis=1)
    assert real.sum() >= 6
    found = tf.nn.log_softmax(outputs.seq_relationship_logits.numpy())
    np.testing.assert_allclose(found[real], arrays["out/next_sentence_log_probs"][real], atol=1e-5)
    scores = tf.gather(outputs.prediction_logits.numpy(), arrays["in/masked_lm_positions"], batch_dims=1)
    expected = arrays["out/masked_lm_log_probs"].reshape(scores.shape)
    np.testing.assert_allclose(tf.nn.log_softmax(scores)[real], expected[real], atol=1e-5)


def test_its_tokenizer_reads_the_folder(google, tmp_path):
    converted(google, tmp_path / "theirs", "huggingface")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "theirs", local_files_only=True)
    assert tokenizer.tokenize("The 7 8") == ["The", "7", "8"]
    assert tokenizer("The", "7")["token_type_ids"] == [0, 0, 0, 1, 1]
    assert (tokenizer.model_max_length, tokenizer.pad_token) == (40, "[PAD]")


def test_one_that_it_saved_in_shards(tmp_path):
    model = transformers.BertForQuestionAnswering.from_pretrained(folders.GOLDEN / "squad", local_files_only=True)
    model.save_pretrained(tmp_path / "shards", max_shard_size="8KB")
    assert weights.find(str(tmp_path / "shards")).endswith(".index.json")
    assert folders.largest_difference("squad", folders.started("squad", tmp_path / "shards")[0]) < 1e-5
