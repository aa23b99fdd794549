"""From batches to a trained folder.

run         how a command that trains begins, works and ends
evaluating  what it is judged on, and by; predictions
run_folder  the output folder: whose run it is, its checkpoints and what else lies in it
loop        the one loop: train, save, resume, evaluate, predict
steps       what one call on the devices computes
selection   evaluations on the way: the best checkpoint, early stopping
outputs     the model's outputs, back in the order of the files
log         what a run tells step by step
"""
