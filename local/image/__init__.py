"""`make image`: the production image, built by buildah without a container engine, and the bill of what is in it."""
