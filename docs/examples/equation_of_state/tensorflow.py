import tensorflow as tf

from .formula import compute_derivative


class Model(tf.Module):
    def __init__(self, parameters, weights):
        super().__init__()
        self.weights = []

    def __call__(self, s, t, p):
        return compute_derivative(s, t, p, tf.sqrt, tf.math.log)
