"""How the weights of a network are written: `network` is section NETW, `sinr` the sparse codes over the seeded dictionary.

`codings` has the names and numbers of all weight codings. All but `sinr` write a layer as integers and one step, in the same way.
How the encoder finds the integers of each coding is in `inrcodec.fit.codings`.
"""
