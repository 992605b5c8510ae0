"""Files × codecs: what each codec makes of each file, measured and checked."""
