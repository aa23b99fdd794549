#!/usr/bin/env bash
# The whole case: a knowledge base, what finds answers in it, what names the intent, and answers to questions.
#
#   examples/faq/run.sh
#   FAQ_MODEL=chinese_output/model examples/faq/run.sh
#
# A step whose output is there is skipped, so a run that was stopped goes on with the same command. README.md tells more.
set -euo pipefail
cd "$(dirname "$0")/../.."

OUTPUT=${FAQ_OUTPUT:-faq_output}                    # everything that is written lies below
MODEL=${FAQ_MODEL:-}                                # bert_config.json, vocab.txt and bert_model.ckpt.*; none: random weights
SEED=${FAQ_SEED:-12345}

. examples/chinese/step.sh

# A small model of ours learns at rates that would ruin a large one; a Google download wants 2e-5 to 1e-4. Adam corrects its
# bias for a pre-trained one, or its first steps would be longer than these rates bear.
if [ -n "$MODEL" ]; then
  START=(--init_checkpoint="$MODEL/bert_model.ckpt" --adam_bias_correction=true)
  # What the retrieval has learned of the same questions is a better start for a classifier than the model itself.
  INTENT_START=(--init_checkpoint="$OUTPUT/faq" --adam_bias_correction=true)
  RATE=${FAQ_LEARNING_RATE:-5e-4} INTENT_RATE=${FAQ_INTENT_LEARNING_RATE:-1e-3}
  EPOCHS=${FAQ_EPOCHS:-20} INTENT_EPOCHS=${FAQ_INTENT_EPOCHS:-30}
else
  START=() INTENT_START=()
  MODEL=$OUTPUT/model
  RATE=${FAQ_LEARNING_RATE:-3e-4} INTENT_RATE=${FAQ_INTENT_LEARNING_RATE:-3e-4}
  EPOCHS=${FAQ_EPOCHS:-20} INTENT_EPOCHS=${FAQ_INTENT_EPOCHS:-60}
  step "$MODEL/bert_config.json" python -m examples.faq.make_small_model \
    --data_dir=examples/faq/intents \
    --output_dir="$MODEL"
fi

step "$OUTPUT/knowledge/test.tsv" python -m examples.faq.knowledge_base --output_dir="$OUTPUT/knowledge"

if python -c 'import bm25s' 2> /dev/null; then
  step "$OUTPUT/bm25/test_report.json" python -m bert run_retrieval \
    --retriever=bm25 \
    --knowledge_file="$OUTPUT/knowledge/questions.tsv" \
    --dev_file="$OUTPUT/knowledge/dev.tsv" \
    --predict_file="$OUTPUT/knowledge/test.tsv" \
    --do_eval=true \
    --do_predict=true \
    --output_dir="$OUTPUT/bm25"
fi

step "$OUTPUT/faq/test_report.json" python -m bert run_retrieval \
  --knowledge_file="$OUTPUT/knowledge/questions.tsv" \
  --dev_file="$OUTPUT/knowledge/dev.tsv" \
  --predict_file="$OUTPUT/knowledge/test.tsv" \
  --vocab_file="$MODEL/vocab.txt" \
  --bert_config_file="$MODEL/bert_config.json" \
  ${START[@]+"${START[@]}"} \
  --do_train=true \
  --do_index=true \
  --do_eval=true \
  --do_predict=true \
  --max_seq_length=48 \
  --train_batch_size=64 \
  --learning_rate="$RATE" \
  --num_train_epochs="$EPOCHS" \
  --seed="$SEED" \
  --output_dir="$OUTPUT/faq"

step "$OUTPUT/intents/predictions.tsv" python -m bert run_classifier \
  --task_name=table \
  --data_dir=examples/faq/intents \
  --vocab_file="$MODEL/vocab.txt" \
  --bert_config_file="$MODEL/bert_config.json" \
  ${INTENT_START[@]+"${INTENT_START[@]}"} \
  --do_train=true \
  --do_eval=true \
  --do_predict=true \
  --max_seq_length=48 \
  --train_batch_size=32 \
  --learning_rate="$INTENT_RATE" \
  --num_train_epochs="$INTENT_EPOCHS" \
  --class_weights=balanced \
  --best_metric=macro_f1 \
  --eval_every_steps=250 \
  --seed="$SEED" \
  --output_dir="$OUTPUT/intents"

step "$OUTPUT/answers.tsv" python -m bert predict \
  --model_dir="$OUTPUT/faq" \
  --intent_model="$OUTPUT/intents" \
  --input_file=examples/faq/asked.txt \
  --output_file="$OUTPUT/answers.tsv"

step "" python -m examples.faq.summary --output_dir="$OUTPUT"

printf '\nA service with a page where one types a question:\n\n'
printf '  python -m bert serve --model_dir=faq=%s --intent_model=%s\n' "$OUTPUT/faq" "$OUTPUT/intents"
