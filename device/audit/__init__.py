"""The audit log: what the device did and was asked to do, in order, so that a change of it is found.

`chain` one record and its link, pure · `tail` where a log ends, and whether it ends as it should · `log` writing ·
`journal` the queue that never holds anybody up · `wording` what is noted of what · `verify` reading it all again.
"""
