"""Name -> checked file of a trained network on this machine.

`TABLE` declares every file with its hash, licence and download sources; `GROUPS` names several at once.
`path` returns a local file whose hash was checked, `find` and `state` say whether there is one, and
`fetch_weights` downloads it. Nothing is downloaded unless that function (or the command `refbench weights
fetch`) is called.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
