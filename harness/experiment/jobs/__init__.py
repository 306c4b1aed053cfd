"""What a plan consists of: searches by weight sharing, by queries and by training-free scores, and retrainings."""
