"""One convolution of images."""
