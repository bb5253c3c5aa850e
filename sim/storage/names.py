"""What is called how in a folder of results."""

MANIFEST = "manifest.json"
SCENARIO = "scenario.yaml"
#: Where a run tells its times, and a batch its progress.
RUN_LOG, LOG = "run.log", "progress.log"
#: Of a batch: its ledger, its finished chunks while it runs, how far it is (among them), the files given with ``--with``.
LEDGER, CHUNKS, PROGRESS, ADDED = "ledger.jsonl", "chunks", "progress.json", "with"
