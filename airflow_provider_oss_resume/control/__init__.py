"""Stop requests, watched calls and crash points: what the calling thread needs to stay responsive."""
