"""What one device measured about itself: field of view, criterion, threshold."""
