"""What a plan consists of: searches by weight sharing, searches by queries, and retrainings."""
