#!/usr/bin/env bash
# From a general model to one of a field: words of the field, further pre-training on its texts, and what both are worth.
#
#   TNEWS_DIR=tnews FIELD_MINUTES=10 examples/chinese/field.sh
#
# The field is the headlines of TNEWS, of which none is among the texts of run.sh. docs/further-pretraining.md tells more.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${TNEWS_DIR:?names the folder of TNEWS, with train.tsv and dev.tsv}"
MINUTES=${FIELD_MINUTES:-10}
OUTPUT=${FIELD_OUTPUT:-field_output}
MODEL=${FIELD_MODEL:-chinese_output/model}   # as run.sh leaves it, or another folder like a Google download
MOST_STEPS=${FIELD_MOST_STEPS:-100000}
TRAIN_ROWS=${FIELD_TRAIN_ROWS:-2000}         # labelled headlines; the other 50,000 are read without their labels
SEEDS=${FIELD_SEEDS:-1,2,3}
WORDS=$OUTPUT/with_words
EVALUATION_FILES=$TNEWS_DIR/dev.tsv
if [ -e "$TNEWS_DIR/test.tsv" ]; then EVALUATION_FILES+=,$TNEWS_DIR/test.tsv; fi

. examples/chinese/step.sh
check_minutes MINUTES FIELD_MINUTES

step "$OUTPUT/text/train.txt" python -m examples.chinese.field_text \
  --train_file="$TNEWS_DIR/train.tsv" \
  --text_columns=1 \
  --evaluation_files="$EVALUATION_FILES" \
  --output_dir="$OUTPUT/text"

step "$WORDS/vocab.txt" python -m bert add_words \
  --model_dir="$MODEL" \
  --output_dir="$WORDS" \
  --input_file="$OUTPUT/text/train.txt" \
  --do_lower_case=True

step "" python -m examples.chinese.field_words \
  --input_file="$OUTPUT/text/train.txt" \
  --models="before=$MODEL,after=$WORDS"

for part in train held_out; do
  step "$OUTPUT/$part.tfrecord" python -m bert create_pretraining_data \
    --input_file="$OUTPUT/text/$part.txt" \
    --output_file="$OUTPUT/$part.tfrecord" \
    --vocab_file="$WORDS/vocab.txt" \
    --do_lower_case=True \
    --do_whole_word_mask=True \
    --segmenter=jieba \
    --write_word_starts=True \
    --max_seq_length=64 \
    --max_predictions_per_seq=10 \
    --dupe_factor=1
done

# Headlines follow each other by chance, so there is no next sentence to learn.
PRETRAIN=(python -m bert run_pretraining
  --input_file="$OUTPUT/train.tfrecord"
  --eval_file="$OUTPUT/held_out.tfrecord"
  --bert_config_file="$WORDS/bert_config.json"
  --init_checkpoint="$WORDS/bert_model.ckpt"
  --next_sentence=False
  --max_seq_length=64
  --max_predictions_per_seq=10
  --do_eval=True
  --eval_batch_size=32)

step "$OUTPUT/before/eval_results.txt" "${PRETRAIN[@]}" --output_dir="$OUTPUT/before"

step "$OUTPUT/pretraining/eval_results.txt" "${PRETRAIN[@]}" \
  --output_dir="$OUTPUT/pretraining" \
  --do_train=True \
  --dynamic_masking=True \
  --train_minutes="$MINUTES" \
  --num_train_steps="$MOST_STEPS" \
  --num_warmup_steps=$((MOST_STEPS / 10)) \
  --learning_rate=2e-4 \
  --adam_bias_correction=True \
  --train_batch_size=32

step "$OUTPUT/model/vocab.txt" python -m bert convert \
  --model_dir="$OUTPUT/pretraining" \
  --vocab_file="$WORDS/vocab.txt" \
  --to=google \
  --output_dir="$OUTPUT/model"

step "" python -m examples.chinese.downstream \
  --models="before=$MODEL,words=$WORDS,words-and-text=$OUTPUT/model" \
  --random=False \
  --work_dir="$OUTPUT/downstream" \
  --tasks=tnews \
  --tnews_dir="$TNEWS_DIR" \
  --train_rows="$TRAIN_ROWS" \
  --seeds="$SEEDS"
