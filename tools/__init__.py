"""What keeps the course alive: trials with other versions, a comparison of stored outputs, an audit."""
