"""The priors: files with the first weights of context networks, named by date and units; `shipped` reads them."""
