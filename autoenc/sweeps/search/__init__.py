"""A search of the settings by Optuna: each trial is a run, its objective a metric of the validation split.

Why not Hydra's own plugin: hydra-optuna-sweeper 1.3.0, the newest, wants Optuna before 3. It takes the objective from
what the launcher returns, so that a worker that dies ends the search with it. It launches trials in batches, of which
the slowest holds back all others. It makes the sampler anew, with the same seed, when a study is taken up again, which
then proposes what it proposed before; and it leaves the trials of a search that was killed running for ever.

So Optuna is asked and told here, under the names that the plugin has for its settings. The study knows what was
proposed and what came of it; how a trial ended is read from its folder; and what is proposed next follows from the
seed, the trial's number and the trials before it, so that a search that was stopped goes on as if it had not been.

The study is a file of Optuna's journal in the sweep's folder, and not of SQLite: it is only appended to, so that a
kill leaves at most half a line at its end; it needs no locks that network file systems lack; and it has no schema that
a new version would have to migrate. A `storage` of one's own may be any database that Optuna takes.

Optuna is imported when a search is chosen, and not before.
"""

from autoenc.sweeps.search.settings import OptunaSearch

__all__ = ["OptunaSearch"]
