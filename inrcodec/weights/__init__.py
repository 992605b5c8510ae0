"""How the weights of a network are written: `serialize` is section NETW, `sinr` the sparse coding over a seeded dictionary.

The codings `uniform`, `lsq` and `ternary` all end in integers and one step per layer, and are written the same way; how
they come by their integers is the encoder's business (`inrcodec.fit.quantize`).
"""
