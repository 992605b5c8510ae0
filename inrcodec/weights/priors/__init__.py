"""The priors of profile `inr` that come with the package, one file each; `weights.prior` reads them."""
