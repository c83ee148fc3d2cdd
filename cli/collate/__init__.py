"""`gateway collate probe`: which reading of the contract Collate follows, and the settings for it."""
