import pytest
from exports import saved_models


@pytest.fixture(scope="session")
def saved():
    return saved_models()
