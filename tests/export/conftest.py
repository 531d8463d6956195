import pytest
from exports import saved_models
from lite_files import lite_files


@pytest.fixture(scope="session")
def saved():
    return saved_models()


@pytest.fixture(scope="session")
def written():
    return lite_files()
