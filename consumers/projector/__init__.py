"""The projector: builds the read model in SQL from three topics (docs/decisions/0005). Its offsets are in SQL too."""
