"""How the weights of a network are written: `network` is section NETW, `sinr` the sparse codes over the seeded dictionary.

`codings` has the names and numbers of all weight codings. All but `sinr` end in integers and one step per layer, and are written the
same way; how each finds its integers is the encoder's business (`inrcodec.fit.codings`).
"""
